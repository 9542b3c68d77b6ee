-- Before a proof that looks for rows several times; waits three seconds at most for another that summarises.
SELECT @schema@.summarize_data()
