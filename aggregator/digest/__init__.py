"""The digest act: a period | select | rank | render | deliver. Pure but for deliver."""
