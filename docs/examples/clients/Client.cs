// Poses of a stream by WebSocket: dotnet run http://127.0.0.1:8791 STREAM [MESSAGES]
// .NET 8 or newer (or Unity with .NET Standard 2.1), nothing to install. The token is read from
// POSETRACK_TOKEN. Written and not yet run: no .NET was at hand.

using System.Net.WebSockets;
using System.Text.Json;

var wanted = args.Length > 2 ? int.Parse(args[2]) : 0;
var url = args[0].Replace("http", "ws") + $"/v1/streams/{args[1]}/poses";
using var socket = new ClientWebSocket();
if (Environment.GetEnvironmentVariable("POSETRACK_TOKEN") is { } token)
{
    socket.Options.SetRequestHeader("Authorization", $"Bearer {token}");
}
await socket.ConnectAsync(new Uri(url), CancellationToken.None);

var piece = new byte[65536];
for (var count = 1; socket.State == WebSocketState.Open; count++)
{
    using var message = new MemoryStream();
    WebSocketReceiveResult got;
    do
    {
        got = await socket.ReceiveAsync(piece, CancellationToken.None);
        message.Write(piece, 0, got.Count);
    } while (!got.EndOfMessage);
    if (got.MessageType == WebSocketMessageType.Close) break;

    var poses = JsonDocument.Parse(message.ToArray()).RootElement;
    var ids = poses.GetProperty("people").EnumerateArray().Select(p => p.GetProperty("id").GetInt64()).ToList();
    Console.WriteLine($"frame {poses.GetProperty("frame")}: {ids.Count} people, ids {string.Join(" ", ids)}");
    if (count == wanted) break;
}
