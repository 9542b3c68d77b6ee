-- Before a proof that looks for rows several times; waits three seconds at most for each lock.
SELECT @schema@.summarize_data()
