"""Sound in: microphones and audio files. Sound out: the cues that a take begins and ends."""
