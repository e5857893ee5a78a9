Feature: Logging
  Refresh failures, the detection of expiry or revocation and the reauthentication trigger are logged, so that somebody
  can find out afterwards what happened.

  @LOG-01 @should @error
  Rule: A refresh failure is logged with its reason

    Scenario Outline: <what happens>
      When the story "<story>" is told
      Then the log tells of the failed refresh, and why it failed (LOG-01)

      Examples:
        | story               | what happens            |
        | user_revokes_access | The user revokes access |

  @LOG-02 @should @error
  Rule: The detection is logged

    Scenario Outline: <what happens>
      When the story "<story>" is told
      Then the log tells that expiry or revocation was detected (LOG-02)

      Examples:
        | story               | what happens            |
        | user_revokes_access | The user revokes access |

  @LOG-03 @should @error
  Rule: The reauthentication trigger is logged

    Scenario Outline: <what happens>
      When the story "<story>" is told
      Then the log tells that the user has to reauthenticate (LOG-03)

      Examples:
        | story               | what happens            |
        | user_revokes_access | The user revokes access |

  @LOG-04 @should @warning
  Rule: Two outages are logged in one form

    Scenario Outline: <what happens>
      When the story "<story>" is told
      Then the log tells of both outages in the same form, with their cause (LOG-04)

      Examples:
        | story             | what happens                             |
        | access_lost_twice | Access is lost, restored, and lost again |

  @LOG-05 @should @warning
  Rule: Each refresh and its outcome is logged with a time

    Scenario Outline: <what happens>
      When the story "<story>" is told
      Then the log tells of each refresh how it ended, and when (LOG-05)

      Examples:
        | story                      | what happens                                  |
        | token_endpoint_unavailable | The token endpoint is unavailable for a while |

  @LOG-06 @should @warning
  Rule: The log stays within bounds

    Scenario Outline: <what happens>
      When the story "<story>" is told
      Then the log does not grow out of bounds (LOG-06)

      Examples:
        | story               | what happens            |
        | user_revokes_access | The user revokes access |

  @LOG-07 @should @warning
  Rule: Refused refreshes stand out

    Scenario Outline: <what happens>
      When the story "<story>" is told
      Then a refused refresh stands out in the log (LOG-07)

      Examples:
        | story                      | what happens                                  |
        | token_endpoint_unavailable | The token endpoint is unavailable for a while |
