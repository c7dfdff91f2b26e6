import * as real from 'node:test'

// node:test as skip-without-sandbox.ts shows it to a test file: suites are walked through, tests and hooks do not run.

type Given = [name?: unknown, options?: unknown, body?: unknown]

const nameOf = ([name]: Given) => (typeof name === 'string' ? name : 'a test without a name')
const skipped = (...given: Given) => real.test(nameOf(given), { skip: 'no sandbox here' })
const suite = (...given: Given) => {
  const body = given.find((one) => typeof one === 'function')
  return real.describe(nameOf(given), body as () => void)
}
const none = () => {}

const it = Object.assign(skipped, { skip: skipped, todo: skipped, only: skipped })
const describe = Object.assign(suite, { skip: suite, todo: suite, only: suite })

export const { mock, snapshot, assert } = real
export {
  describe,
  describe as suite,
  it,
  it as test,
  none as after,
  none as afterEach,
  none as before,
  none as beforeEach,
}
export default Object.assign(skipped, { ...real, ...it, test: it, it, describe, suite: describe })
