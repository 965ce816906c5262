"""What is learnt by watching only: socket statistics as figures and pictures, and profiles of recorded links. Pure."""
