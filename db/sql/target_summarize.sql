-- Before a proof that looks for rows several times; waits a second at most for another that summarises.
SELECT @schema@.summarize_data()
