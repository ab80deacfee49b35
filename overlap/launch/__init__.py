"""Many runs of `overlap`: what they are, where they run, how they went."""
