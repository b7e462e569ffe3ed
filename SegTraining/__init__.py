"""Makes models: data -> training -> evaluation -> package. Everything a model sees comes from SpineInference."""
