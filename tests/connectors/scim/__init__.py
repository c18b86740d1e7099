"""The SCIM connector, part by part."""
