"""What every part uses: errors, files, locks, checksums, words for numbers."""
