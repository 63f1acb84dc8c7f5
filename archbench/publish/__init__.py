"""From Records to tables. Imports records and stats only, and never torch."""
