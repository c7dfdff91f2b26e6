import type { ExecutionResult } from '../types.ts'

/** Bytes shown before and after the first one that differs. */
const CONTEXT = 24

/** What differs first between two results of the same invocation, in a sentence; undefined if they are the same. */
export function firstDifference(one: ExecutionResult, other: ExecutionResult): string | undefined {
  if (one.status !== other.status) return `it ended with status ${describe(one)} and with ${describe(other)}`
  if (one.response && other.response) return responseDifference(one.response, other.response)
  return bytesDifference('the result', one.output ?? new Uint8Array(), other.output ?? new Uint8Array())
}

const describe = ({ status, error }: ExecutionResult) => (error ? `${status} (${error.code})` : String(status))

type Response = NonNullable<ExecutionResult['response']>

function responseDifference(one: Response, other: Response): string | undefined {
  if (one.httpStatus !== other.httpStatus) return `the HTTP status is ${one.httpStatus} and ${other.httpStatus}`
  const count = Math.max(one.headers.length, other.headers.length)
  for (let i = 0; i < count; i++) {
    const [name, value] = one.headers[i] ?? []
    const [otherName, otherValue] = other.headers[i] ?? []
    if (name !== otherName) return `the header ${i + 1} is ${name ?? 'missing'} and ${otherName ?? 'missing'}`
    if (value !== otherValue) return `the header ${name} is ${quote(value!)} and ${quote(otherValue!)}`
  }
  return bytesDifference('the body', one.body, other.body)
}

function bytesDifference(what: string, one: Uint8Array, other: Uint8Array): string | undefined {
  const length = Math.max(one.length, other.length)
  for (let i = 0; i < length; i++) {
    if (one[i] === other[i]) continue
    return `${what} differs at byte ${i}: ${around(one, i)} and ${around(other, i)}`
  }
  return undefined
}

const around = (bytes: Uint8Array, at: number) =>
  quote(Buffer.from(bytes.subarray(Math.max(0, at - CONTEXT), at + CONTEXT)).toString('latin1'))

const quote = (text: string) => JSON.stringify(text.length > 80 ? `${text.slice(0, 80)}…` : text)
