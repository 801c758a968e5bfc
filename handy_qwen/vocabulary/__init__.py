"""The user's words and replacements: changing the lists, import and export."""
