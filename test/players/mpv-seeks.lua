-- Seeks forward, back and forward again, says each time that playback went on there, and then
-- lets the file play to its end. The targets come as --script-opts=seeks=45:10:50.
local targets = {}
for seconds in (mp.get_opt("seeks") or ""):gmatch("[^:]+") do
  targets[#targets + 1] = tonumber(seconds)
end
local sought = 0
local waiting = nil

mp.observe_property("time-pos", "number", function(_, now)
  if now == nil then return end
  if waiting ~= nil then
    if math.abs(now - waiting) > 2 then return end
    print(string.format("reached %g", waiting))
    waiting = nil
  end
  if sought < #targets then
    sought = sought + 1
    waiting = targets[sought]
    mp.commandv("seek", waiting, "absolute", "exact")
  end
end)

mp.register_event("end-file", function(event) print("ended by " .. event.reason) end)
