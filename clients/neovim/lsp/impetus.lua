-- What `vim.lsp.config('impetus', …)` of Neovim 0.11 and later starts from.
return require('impetus.client').config()
