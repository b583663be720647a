// Poses of a stream as server-sent events: node client.mjs http://127.0.0.1:8791 STREAM [MESSAGES]
// Node 18 or newer, or a browser; nothing to install. The token is read from POSETRACK_TOKEN.
// In a page of the daemon's own, `new EventSource("/v1/streams/door/poses")` is shorter.

const [address, stream, wanted = "0"] = process.argv.slice(2);
const token = process.env.POSETRACK_TOKEN;
const answer = await fetch(`${address}/v1/streams/${stream}/poses`, {
  headers: token ? { Authorization: `Bearer ${token}` } : {},
});
if (!answer.ok) {
  console.error(`${answer.status}: ${(await answer.json()).error}`);
  process.exit(1);
}

let waiting = "";
let count = 0;
for await (const bytes of answer.body.pipeThrough(new TextDecoderStream())) {
  waiting += bytes;
  const events = waiting.split("\n\n");
  waiting = events.pop(); // the last one has not ended yet
  for (const event of events) {
    const data = event.split("\n").find((line) => line.startsWith("data: "));
    if (data === undefined) continue;
    const message = JSON.parse(data.slice("data: ".length));
    const ids = message.people.map((person) => person.id).join(" ");
    console.log(`frame ${message.frame}: ${message.people.length} people, ids ${ids}`);
    if (++count === Number(wanted)) process.exit(0);
  }
}
