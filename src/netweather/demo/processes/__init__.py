"""The processes of the demo, each in a namespace of its own, and how they are started and asked."""
