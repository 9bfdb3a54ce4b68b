// SPDX-License-Identifier: MIT OR Apache-2.0
// grpc-js as the other side. Bytes are passed through: no message is known here.
//   node peer.mjs --probe                77 when the package is missing
//   node peer.mjs serve                  prints its port; ends when stdin ends.
//       /t.T/Echo gives the bytes back; /t.T/Say fails with the status that the
//       length of the message says; /t.T/Later with RESOURCE_EXHAUSTED and RetryInfo
//   node peer.mjs call PORT TIMES        calls /t.T/Echo of a server of ours
let grpc;
try {
  grpc = await import('@grpc/grpc-js');
} catch {
  console.log('the node module @grpc/grpc-js is missing (tools/setup check)');
  process.exit(77);
}
const [mode, port, times] = process.argv.slice(2);
const raw = { requestStream: false, responseStream: false, requestSerialize: (b) => b,
  requestDeserialize: (b) => b, responseSerialize: (b) => b, responseDeserialize: (b) => b };
const methods = { Echo: { path: '/t.T/Echo', ...raw }, Say: { path: '/t.T/Say', ...raw },
  Later: { path: '/t.T/Later', ...raw } };

if (mode === 'serve') {
  const server = new grpc.Server();
  const retry = new grpc.Metadata();
  // google.rpc.Status{8, details [RetryInfo{1.5 s}]}
  const type = Buffer.from('type.googleapis.com/google.rpc.RetryInfo');
  const duration = Buffer.from([8, 1, 16, 0x80, 0xca, 0xb5, 0xee, 1]);
  const info = Buffer.concat([Buffer.from([10, duration.length]), duration]);
  const any = Buffer.concat([Buffer.from([10, type.length]), type, Buffer.from([18, info.length]), info]);
  retry.add('grpc-status-details-bin', Buffer.concat([Buffer.from([8, 8, 26, any.length]), any]));
  server.addService(methods, {
    Echo: (call, done) => done(null, call.request),
    Say: (call, done) => done({ code: call.request.length, details: 'lab says nö' }),
    Later: (call, done) => done({ code: 8, details: 'full', metadata: retry }),
  });
  server.bindAsync('127.0.0.1:0', grpc.ServerCredentials.createInsecure(), (err, bound) => {
    if (err) throw err;
    console.log(bound);
  });
  process.stdin.on('end', () => process.exit(0)).resume();
} else if (mode === 'call') {
  const Client = grpc.makeGenericClientConstructor(methods, 'T');
  const client = new Client(`127.0.0.1:${port}`, grpc.credentials.createInsecure());
  let left = Number(times);
  for (let i = 0; i < Number(times); i++) {
    const sent = Buffer.alloc(i * 37, i);
    client.Echo(sent, (err, got) => {
      if (err || !got.equals(sent)) {
        console.log(`call ${i}: ${err ?? 'other bytes'}`);
        process.exit(1);
      }
      if (--left === 0) {
        console.log(`${times} calls`);
        process.exit(0);
      }
    });
  }
}
