"""What the measures of the trust stage mean, in sentences for a manager: text from numbers; computes nothing."""
