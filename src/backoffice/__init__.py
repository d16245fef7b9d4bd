"""A back office as a service: payroll and what stands around it, for staffing firms."""
