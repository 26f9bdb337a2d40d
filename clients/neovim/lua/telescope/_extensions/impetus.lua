-- `:Telescope impetus`
return require('telescope').register_extension({ exports = { impetus = require('impetus.pickers.telescope') } })
