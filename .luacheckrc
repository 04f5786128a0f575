std = "lua54"
max_line_length = 128
files["tests/lua"] = { std = "+busted" }
