--- Search as you type in Telescope. The server ranks, Telescope only shows.
local search = require('impetus.search')

---@param options? table of Telescope
return function(options)
  local async = require('plenary.async.control').channel
  local values = require('telescope.config').values
  options = options or {}

  local stop = function() end
  local function hits(prompt)
    stop()
    if vim.trim(prompt) == '' then
      return {}
    end
    local send, wait = async.oneshot()
    stop = search.request(prompt, function(entries)
      send(entries or {})
    end)
    return wait()
  end

  local function entry(hit)
    local path = vim.fn.fnamemodify(hit.filename, ':.')
    return {
      value = hit,
      ordinal = hit.filename,
      display = ('%s:%d  %s'):format(path, hit.lnum, hit.text),
      filename = hit.filename,
      lnum = hit.lnum,
      lnend = hit.end_lnum,
      col = hit.col,
    }
  end

  require('telescope.pickers')
    .new(options, {
      prompt_title = 'Impetus: search by meaning',
      finder = require('telescope.finders').new_dynamic({ fn = hits, entry_maker = entry }),
      previewer = values.grep_previewer(options),
      sorter = require('telescope.sorters').empty(),
    })
    :find()
end
