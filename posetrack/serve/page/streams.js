// Lists the streams; a real page will take this one's place.
async function list() {
  const answer = await fetch("/v1/streams");
  const place = document.getElementById("streams");
  if (answer.status === 401) {
    const token = window.prompt("Token");
    if (token !== null) {
      await fetch("/v1/session", { method: "POST", body: JSON.stringify({ token }) });
    }
    return;
  }
  const { streams } = await answer.json();
  place.replaceChildren(
    ...streams.map((stream) => {
      const row = document.createElement("li");
      row.textContent = `${stream.id}: ${stream.state}, ${stream.fps} fps, ${stream.people} people`;
      return row;
    }),
  );
}
list();
setInterval(list, 2000);
