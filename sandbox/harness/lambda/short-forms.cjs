'use strict'
// PeerHost's own forms: `export default async (request) => ({status, headers, body})` and `export default { fetch }`.
const { ShortRequest, fetchRequest } = require('./short-request.cjs')
const { asOutput, send, toAnswer } = require('./short-response.cjs')

const complete = (finish) => finish()

/** @param {() => unknown} call @param {Promise<unknown>[]} background what the answer's end waits for */
async function answer(call, invocation, respond, background = []) {
  const finish = await send(await toAnswer(await call()), invocation.kind === 'event' ? asOutput(respond) : respond)
  await Promise.allSettled(background)
  return finish
}

function runRequestForm({ handler, invocation, context, completion, respond }) {
  const { call } = handler
  completion.onResult = complete
  completion.follow(answer(() => call(new ShortRequest(invocation), context), invocation, respond))
}

/** The third argument is the Lambda context, with what Fetch-style hosts offer besides. */
function runFetchForm({ handler, invocation, context, completion, respond }) {
  const { call } = handler
  const background = []
  context.waitUntil = (promise) => background.push(promise)
  context.passThroughOnException = () => {}
  completion.onResult = complete
  completion.follow(answer(() => call(fetchRequest(invocation), process.env, context), invocation, respond, background))
}

module.exports = { runRequestForm, runFetchForm }
