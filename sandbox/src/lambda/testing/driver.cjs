'use strict'
// Runs one bundle's invocations in this process, as the harness does in a child: the event loop turns until the answer.
// Reads its orders from descriptor 3 (JSON), writes what it was answered to descriptor 4.
const { readFileSync, writeSync } = require('node:fs')
const { createRequire } = require('node:module')
const vm = require('node:vm')
const { createRuntime } = require('../../../harness/lambda/index.cjs')
const { installPlatform } = require('../../../harness/lambda/platform.cjs')

const { config, source, invocations } = JSON.parse(readFileSync(3, 'utf8'))
const answered = (call, value) => writeSync(4, `${JSON.stringify({ call, value })}\n`)
const encode = (bytes) => bytes.toString('base64')

const respond = {
  head: (head) => answered('head', head),
  chunk: (bytes) => answered('chunk', encode(bytes)),
  end: () => answered('end'),
  whole: ({ httpStatus, headers, body }) => answered('whole', { httpStatus, headers, body: encode(body) }),
  output: (bytes) => answered('output', bytes.toString('utf8')),
  failed: (error) => answered('failed', error),
}

async function main() {
  installPlatform(config)
  const runtime = createRuntime(config)
  const module = { exports: {} }
  const load = vm.runInThisContext(`(function (exports, require, module) {${source}\n})`)
  load(module.exports, createRequire(__filename), module)
  const handler = runtime.resolve(await module.exports)
  for (const { bodyBase64, ...invocation } of invocations) {
    const body = Buffer.from(bodyBase64, 'base64')
    if (invocation.kind === 'event') invocation.body = body
    else invocation.request.body = body
    await runtime.invoke(handler, invocation, respond)
    answered('returned')
  }
}

main().then(
  () => process.kill(process.pid, 'SIGKILL'), // as the harness's exit: nothing of the bundle runs on
  (error) => answered('rejected', { name: error.name, message: error.message }),
)
