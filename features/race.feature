Feature: Races
  Parallel work meets the end of an access token in the same moment. One refresh is enough, and a second one can end the
  grant: the first has superseded the token that the second presents.

  @RACE-01 @must @error
  Rule: At most one refresh is in flight per connection

    Scenario Outline: <what happens>
      When the story "<story>" is told
      Then the subject refreshes once at a time (RACE-01)

      Examples:
        | story                           | what happens                        |
        | parallel_work_needs_one_refresh | Much work at once needs one refresh |

  @RACE-03 @must @error
  Rule: The waiters go on with the new token

    Scenario Outline: <what happens>
      When the story "<story>" is told
      Then no call is lost, and none hangs (RACE-03)

      Examples:
        | story                           | what happens                        |
        | parallel_work_needs_one_refresh | Much work at once needs one refresh |
