"""The part of the panel that segments several scans."""
