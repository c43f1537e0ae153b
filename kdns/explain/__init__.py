"""Why a name is answered as it is: what is asked in which order, which objects and rules made the records, what may be wrong."""
