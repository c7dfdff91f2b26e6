/** The HTTP statuses that an answer may have: an interim one (1xx) ends no call, and beyond 599 there is none. */
export const MIN_ANSWER_STATUS = 200
export const MAX_ANSWER_STATUS = 599

/** Whether an answer may have this HTTP status. */
export const isAnswerStatus = (value: unknown): value is number =>
  Number.isInteger(value) && (value as number) >= MIN_ANSWER_STATUS && (value as number) <= MAX_ANSWER_STATUS
