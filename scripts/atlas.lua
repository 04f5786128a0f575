#!/usr/bin/env lua5.4
--- The activation atlas: what each activation does to gradients. The same as `rille atlas`; see --help.
-- The numbers are of rille.atlas, so a script of one's own can ask for them:
--
--     local portrait = require("rille.atlas").portrait("sigmoid")
--     print(portrait.passes, portrait.sentence)

require("rille.atlas.command")(arg)
