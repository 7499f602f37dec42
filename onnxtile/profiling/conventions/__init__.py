"""Count as other tools do, for comparison."""
