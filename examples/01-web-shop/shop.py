"""A web shop, twice, on port 80: /naive/ and /fixed/. GET /ledger tells what was sold: the truth of the example.

The naive page sends the order and waits. The fixed one says at once that it is at work, goes on saying so, tries again by itself,
and sends the same key each time, so that the server sells once.
"""

import json
import threading
import time
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

STYLE = """<!doctype html><meta charset=utf-8><title>Shop</title><link rel=icon href=data:,><style>
body{font:18px/1.4 'DejaVu Sans',sans-serif;margin:24px;color:#222}h1{font-size:24px;margin:0 0 8px}
button{font:inherit;padding:8px 20px;border:0;border-radius:4px;background:#1858a8;color:#fff;outline:0}
button:disabled{background:#9ab}#said{margin-top:16px;min-height:2em}</style>
<h1>Boots</h1><p>Warm ones for bad weather: 49 €</p><button id=buy>Buy</button><div id=said></div>"""
NAIVE = (
    STYLE
    + """<script>
buy.onclick = async () => {
  const answer = await fetch('buy', {method: 'POST', body: 'boots'});
  said.textContent = await answer.text();
};
</script>"""
)
FIXED = (
    STYLE
    + """<script>
const key = 'KEY', pause = ms => new Promise(done => setTimeout(done, ms));
buy.onclick = async () => {
  buy.disabled = true;
  const begin = Date.now();
  let state = 'Buying';
  const tell = () => {
    const s = Math.round((Date.now() - begin) / 1000);
    said.textContent = s < 1 ? 'Buying …' : `${state}: ${s} s. You will be charged once.`;
  };
  const clock = setInterval(tell, 500);
  tell();
  for (;;) {
    try {
      const options = {method: 'POST', body: 'boots', headers: {'Idempotency-Key': key}, signal: AbortSignal.timeout(4000)};
      const text = await (await fetch('buy', options)).text();
      clearInterval(clock);
      said.textContent = text;
      return;
    } catch { state = 'No connection, trying again'; await pause(300); }
  }
};
</script>"""
)
PROCESSING_S = 0.3
sold: list[dict[str, str]] = []
answers: dict[str, str] = {}
selling = threading.Lock()


def sell(kind: str, key: str) -> str:
    """Takes the money, once for each key."""
    with selling:
        if key and key in answers:
            return answers[key]
        sold.append({"shop": kind, "key": key})
        answer = f"Thank you! Order {len(sold)}"
        if key:
            answers[key] = answer
    time.sleep(PROCESSING_S)
    return answer


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        pages = {"/naive/": NAIVE, "/fixed/": FIXED.replace("KEY", str(uuid.uuid4()))}
        if self.path in pages:
            self.reply(pages[self.path], "text/html; charset=utf-8")
        elif self.path == "/ledger":
            self.reply(json.dumps(sold), "application/json")
        else:
            self.send_error(404)

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        kind = self.path.split("/")[1]
        self.reply(sell(kind, self.headers.get("Idempotency-Key", "")), "text/plain; charset=utf-8")

    def reply(self, text: str, kind: str) -> None:
        body = text.encode()
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


ThreadingHTTPServer.request_queue_size = 64
ThreadingHTTPServer(("", 80), Handler).serve_forever()
