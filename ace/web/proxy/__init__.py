"""The drop-in proxy: model requests pass, with the bullets that fit them; what is not ours stays byte for byte."""
