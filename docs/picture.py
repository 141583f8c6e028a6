"""Pictures of a page after some real seconds, by Chromium's DevTools protocol; the standard library is enough.

Headless Chromium's own --screenshot does not wait, or waits in virtual time, in which a live page looks old.
usage: picture.py CHROMIUM URL SECONDS WIDTH HEIGHT LIGHT.png DARK.png
"""
import base64, json, os, socket, struct, subprocess, sys, tempfile, time, urllib.request


class Tab:
    """One page, over a WebSocket (RFC 6455)."""

    def __init__(self, port):
        pages = json.load(urllib.request.urlopen(f"http://127.0.0.1:{port}/json"))
        path = next(page for page in pages if page["type"] == "page")["webSocketDebuggerUrl"].split(str(port), 1)[1]
        self.socket = socket.create_connection(("127.0.0.1", port))
        key = base64.b64encode(os.urandom(16)).decode()
        self.socket.sendall((f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                             f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n").encode())
        self.file = self.socket.makefile("rb")
        while self.file.readline().strip():
            pass
        self.asked = 0

    def ask(self, method, **params):
        self.asked += 1
        text = json.dumps({"id": self.asked, "method": method, "params": params}).encode()
        # A client masks; a mask of zeros is one too.
        self.socket.sendall(struct.pack("!BBQI", 0x81, 0xFF, len(text), 0) + text)
        while True:
            answer = json.loads(self.hear())
            if answer.get("id") == self.asked:
                return answer["result"]

    def hear(self):
        whole = b""
        while True:
            first, length = self.file.read(2)
            if length == 126:
                (length,) = struct.unpack("!H", self.file.read(2))
            elif length == 127:
                (length,) = struct.unpack("!Q", self.file.read(8))
            whole += self.file.read(length)
            if first & 0x80:
                return whole


def port_of(profile):
    for _ in range(300):
        try:
            return int(open(os.path.join(profile, "DevToolsActivePort")).readline())
        except (OSError, ValueError):
            time.sleep(0.1)
    sys.exit("picture.py: chromium did not start")


def main():
    chromium, url, seconds, width, height, light, dark = sys.argv[1:]
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        browser = subprocess.Popen(
            [chromium, "--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--remote-debugging-port=0",
             f"--user-data-dir={profile}", "about:blank"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            tab = Tab(port_of(profile))
            tab.ask("Emulation.setDeviceMetricsOverride", width=int(width), height=int(height), deviceScaleFactor=1, mobile=False)
            tab.ask("Page.navigate", url=url)
            time.sleep(float(seconds))
            for scheme, name in [("light", light), ("dark", dark)]:
                tab.ask("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
                time.sleep(1.5)
                png = base64.b64decode(tab.ask("Page.captureScreenshot", format="png")["data"])
                open(name, "wb").write(png)
                print(name)
        finally:
            browser.terminate()
            browser.wait()


main()
