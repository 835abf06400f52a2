// SPDX-License-Identifier: Apache-2.0
// client.js ADDRESS PORT TIMES: fetches the page, on a new connection each time, and prints it.
const http = require('http');
const [address, port, times] = process.argv.slice(2);

function fetch() {
  return new Promise((resolve, reject) => {
    const request = http.get({host: address, port, agent: false}, (response) => {
      const {remoteAddress, remotePort} = response.socket;
      if (remoteAddress !== address || remotePort !== Number(port))
        reject(new Error(`the peer is ${remoteAddress}:${remotePort}`));
      response.setEncoding('utf8').on('data', (text) => process.stdout.write(text)).on('end', resolve);
    });
    request.on('error', reject);
  });
}

(async () => {
  for (let i = 0; i < Number(times); ++i) await fetch();
})();
