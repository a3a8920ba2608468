"""The jobs that join all rooms: anonymise, detect, preview, unlock, for one file or many."""
