--- Search as you type in fzf-lua. The server ranks, fzf only shows.
local search = require('impetus.search')

return function()
  local fzf = require('fzf-lua')
  local stop = function() end
  local function hits(query)
    stop()
    return function(write)
      local words = type(query) == 'table' and query[1] or query
      if not words or vim.trim(words) == '' then
        return write(nil)
      end
      stop = search.request(words, function(entries)
        for _, hit in ipairs(entries or {}) do
          local path = vim.fn.fnamemodify(hit.filename, ':.')
          write(('%s:%d:%d: %s'):format(path, hit.lnum, hit.col, hit.text))
        end
        write(nil) -- the end
      end)
    end
  end
  fzf.fzf_live(hits, {
    prompt = 'Impetus> ',
    exec_empty_query = false,
    previewer = 'builtin',
    actions = fzf.defaults.actions.files,
    fzf_opts = { ['--delimiter'] = ':', ['--no-sort'] = '' },
  })
end
