"""Parts that every folder uses: errors, files, locks, checksums, wording."""
