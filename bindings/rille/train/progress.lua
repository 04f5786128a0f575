--- rille.train.progress: how far a run is: a bar with the time that is left on a terminal, else a line an epoch.

local check = require "rille.check"
local text = require "rille.text"

local progress = {}

local WIDTH = 24

-- "0:07", "2:05:00"
local function time_text(seconds)
    seconds = math.floor(seconds + 0.5)
    local hours, minutes = seconds // 3600, seconds // 60 % 60
    if hours > 0 then
        return ("%d:%02d:%02d"):format(hours, minutes, seconds % 60)
    end
    return ("%d:%02d"):format(minutes, seconds % 60)
end

--- "epoch 2/10: mean loss 0.34 over 45 steps, 0:12, 1:36 left"
function progress.epoch_line(epoch, epochs, mean, steps, seconds, left)
    return ("epoch %d/%d: mean loss %s over %d step%s, %s, %s left"):format(epoch, epochs, text.number(mean, 4), steps,
        steps == 1 and "" or "s", time_text(seconds), time_text(left))
end

--- "epoch 2/10 [=======>    ] 12/45  loss 0.34  1:36 left"; of an unknown number of steps the bar and the time are left out.
function progress.bar_line(epoch, epochs, i, steps, loss, left)
    if not steps then
        return ("epoch %d/%d  step %d  loss %s"):format(epoch, epochs, i, text.number(loss, 4))
    end
    local full = math.min(WIDTH, math.floor(WIDTH * i / steps))
    return ("epoch %d/%d [%s%s] %d/%d  loss %s  %s left"):format(epoch, epochs, ("="):rep(full), (" "):rep(WIDTH - full), i,
        steps, text.number(loss, 4), time_text(left))
end

--- Shows nothing with `to` false; with a function, gives it the line of each epoch; else writes to standard error. epochs and
-- steps (nil: unknown) are those of the whole run and of an epoch, done the epochs that an earlier run has made.
function progress.new(to, epochs, steps, done)
    local self = {}
    local bar = to == nil and os.execute("test -t 2") or to == true and os.execute("test -t 2")
    local start, epoch_start, shown = os.time(), os.time(), 0
    local function left(fraction) -- of the epochs that this run makes
        return fraction > 0 and (os.time() - start) * (1 / fraction - 1) or 0
    end
    function self.step(epoch, i, loss)
        local now = os.time()
        if bar and now ~= shown then
            shown = now
            local fraction = steps and (epoch - done - 1 + i / steps) / (epochs - done) or 0
            io.stderr:write("\r", progress.bar_line(epoch, epochs, i, steps, loss, left(fraction)), "\27[K")
        end
    end
    function self.epoch_end(epoch, mean, made)
        steps = steps or made
        local now = os.time()
        local line = progress.epoch_line(epoch, epochs, mean, made, now - epoch_start, left((epoch - done) / (epochs - done)))
        epoch_start = now
        if type(to) == "function" then
            to(line)
        elseif to ~= false then
            io.stderr:write(bar and "\r" or "", line, bar and "\27[K\n" or "\n")
        end
        shown = 0
    end
    function self.close()
        if bar and shown ~= 0 then
            io.stderr:write("\n")
        end
    end
    return self
end

return check.strict(progress, "rille.train.progress")
