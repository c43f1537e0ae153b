"""What the cluster says: objects, the store of them, and the entries compiled from it. Pure: no IO, no clock."""
