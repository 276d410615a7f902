//! One node of many: gate epochs, takeover, rebuild.
