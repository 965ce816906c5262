"""What a condition does to packets and applications, estimated: for explain, verify and warnings. Pure."""
