"""The stories act: groups items into stories and ties stories into topics. Pure; the same items give the same stories."""
