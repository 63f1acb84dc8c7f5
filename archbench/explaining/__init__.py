"""Where a network's evidence for a class lies: class activation maps and their kin, of trained weights on some images."""
