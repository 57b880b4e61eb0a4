"""The feeds act: from a subscription to normalised items."""
