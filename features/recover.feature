Feature: Recovering
  After reconnection all goes on as before: without a restart, without another consent, without lost work.

  @RECOVER-01 @should @error
  Rule: Work resumes after reconnection, unaided

    Scenario Outline: <what happens>
      When the story "<story>" is told
      Then the subject works again without a restart and without another consent (RECOVER-01)

      Examples:
        | story                      | what happens                                            |
        | access_lost_twice          | Access is lost, restored, and lost again                |
        | reconnected_then_restarted | The user reconnects, and the subject is restarted later |
        | user_revokes_access        | The user revokes access                                 |

  @RECOVER-02 @must @error
  Rule: No accepted work is lost

    Scenario Outline: <what happens>
      When the story "<story>" is told
      Then everything that the subject accepted is delivered (RECOVER-02)

      Examples:
        | story                  | what happens                                       |
        | user_revokes_access    | The user revokes access                            |
        | work_during_the_outage | Work comes into being while the connection is dead |

  @RECOVER-03 @must @error
  Rule: No unit of work is reported twice

    Scenario Outline: <what happens>
      When the story "<story>" is told
      Then the subject reports no unit as done again (RECOVER-03)

      Examples:
        | story               | what happens            |
        | user_revokes_access | The user revokes access |

  @RECOVER-04 @should @error
  Rule: The user's settings are kept

    Scenario Outline: <what happens>
      When the story "<story>" is told
      Then the user's settings are as they were before (RECOVER-04)

      Examples:
        | story               | what happens            |
        | user_revokes_access | The user revokes access |

  @RECOVER-05 @must @error
  Rule: What came into being during the outage is fetched

    Scenario Outline: <what happens>
      When the story "<story>" is told
      Then the subject fetches what came into being during the outage (RECOVER-05)

      Examples:
        | story                  | what happens                                       |
        | work_during_the_outage | Work comes into being while the connection is dead |

  @RECOVER-06 @should @warning
  Rule: Export jobs in progress are resumed

    Scenario Outline: <what happens>
      When the story "<story>" is told
      Then the job in progress is gone on with and not reported as started again (RECOVER-06)

      Examples:
        | story           | what happens                                   |
        | job_in_progress | Access ends while an export job is in progress |

  @RECOVER-07 @must @error
  Rule: Users are answered while the token endpoint is in trouble

    Scenario Outline: <what happens>
      When the story "<story>" is told
      Then status, page and trigger are answered in bearable time (RECOVER-07)

      Examples:
        | story                                        | what happens                                              |
        | token_endpoint_hangs_for_users               | The token endpoint hangs while users look on              |
        | token_endpoint_refuses_connections_for_users | The token endpoint closes connections while users look on |

  @RECOVER-08 @must @error
  Rule: The subject neither dies nor hangs

    Scenario Outline: <what happens>
      When the story "<story>" is told
      Then the subject is alive, and answers (RECOVER-08)

      Examples:
        | story                             | what happens                                               |
        | exchange_answers_without_tokens   | A new login fails: 200, and no tokens in the answer        |
        | exchange_is_dropped               | A new login fails: the connection is closed                |
        | exchange_is_refused               | A new login fails: Pleo refuses the code                   |
        | exchange_meets_an_outage          | A new login fails: the token endpoint is unavailable       |
        | proxy_answers_with_html           | A proxy answers in place of the token endpoint for a while |
        | token_endpoint_drops_connections  | The token endpoint drops connections for a while           |
        | token_endpoint_resets_connections | The token endpoint resets connections for a while          |
        | token_endpoint_unavailable        | The token endpoint is unavailable for a while              |
        | too_many_refreshes                | Too many refreshes, says the token endpoint for a while    |
        | user_revokes_access               | The user revokes access                                    |

  @RECOVER-09 @must @error
  Rule: The data that was visible stays visible

    Scenario Outline: <what happens>
      When the story "<story>" is told
      Then no record that was visible before the outage is missing (RECOVER-09)

      Examples:
        | story                  | what happens                                       |
        | user_revokes_access    | The user revokes access                            |
        | work_during_the_outage | Work comes into being while the connection is dead |
