"""The parts of bench/run: standard library only; peer.py alone runs in the environment `bench`."""
