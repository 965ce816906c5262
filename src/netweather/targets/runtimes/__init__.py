"""One module for each kind of reference, and the APIs of the engines that they ask."""
