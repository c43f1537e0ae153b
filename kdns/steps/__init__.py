"""What may answer a question, and what may change a question or an answer: one file per directive."""
