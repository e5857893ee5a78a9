Feature: Races
  Parallel work meets the end of an access token in the same moment. One refresh is enough, and a second one can end the
  grant: the first has superseded the token that the second presents.

  @RACE-01 @must @error
  Rule: At most one refresh is in flight per connection

    Scenario Outline: <what happens>
      When the story "<story>" is told
      Then the subject refreshes once at a time (RACE-01)

      Examples:
        | story                                    | what happens                                 |
        | parallel_work_needs_one_refresh          | Much work at once needs one refresh          |
        | work_from_every_source_needs_one_refresh | Work of every kind at once needs one refresh |

  @RACE-02 @must @error
  Rule: Processes that share a store refresh one at a time

    Scenario Outline: <what happens>
      When the story "<story>" is told
      Then all processes together refresh once at a time (RACE-02)

      Examples:
        | story                          | what happens                       |
        | two_processes_need_one_refresh | Several processes need one refresh |

  @RACE-03 @must @error
  Rule: The waiters go on with the new token

    Scenario Outline: <what happens>
      When the story "<story>" is told
      Then no call is lost, and none hangs (RACE-03)

      Examples:
        | story                           | what happens                        |
        | parallel_work_needs_one_refresh | Much work at once needs one refresh |

  @RACE-04 @must @error
  Rule: The loser's refusal leaves the winner's tokens alone

    Scenario Outline: <what happens>
      When the story "<story>" is told
      Then the winner's tokens stay in use (RACE-04)

      Examples:
        | story                  | what happens                                               |
        | a_second_refresh_loses | Much work at once, and whoever refreshes second is refused |

  @RACE-05 @must @error
  Rule: A late refusal does not undo a reconnection

    Scenario Outline: <what happens>
      When the story "<story>" is told
      Then the new connection works on, also after a restart (RACE-05)

      Examples:
        | story                        | what happens                                     |
        | refusal_after_a_reconnection | A refusal arrives after the user has reconnected |

  @RACE-06 @must @error
  Rule: A late success undoes neither a reconnection nor a disconnection

    Scenario Outline: <what happens>
      When the story "<story>" is told
      Then what the user did last is what counts (RACE-06)

      Examples:
        | story                         | what happens                                                       |
        | success_after_a_disconnection | A refresh succeeds after the user has disconnected                 |
        | success_after_a_reconnection  | A refresh of the old grant succeeds after the user has reconnected |

  @RACE-07 @must @error
  Rule: A kill between the answer to a refresh and the save does no lasting harm

    Scenario Outline: <what happens>
      When the story "<story>" is told
      Then the restarted subject works, or says that access must be restored (RACE-07)

      Examples:
        | story                         | what happens                                                         |
        | killed_between_reply_and_save | The subject is killed as soon as it has read the answer to a refresh |
        | killed_while_it_refreshes     | The subject is killed while the answer to a refresh is on its way    |

  @RACE-08 @must @error
  Rule: A revocation while a refresh is in flight ends the connection

    Scenario Outline: <what happens>
      When the story "<story>" is told
      Then the connection ends within two refreshes (RACE-08)

      Examples:
        | story                                | what happens                                         |
        | revoked_while_a_refresh_is_in_flight | The user revokes access while a refresh is in flight |

  @RACE-09 @should @warning
  Rule: A pause in the middle of a refresh puts no older pair in place of a newer one

    Scenario Outline: <what happens>
      When the story "<story>" is told
      Then what was stored during the pause is what counts (RACE-09)

      Examples:
        | story                     | what happens                                                  |
        | paused_while_it_refreshes | One of several processes is paused in the middle of a refresh |

  @RACE-10 @must @error
  Rule: Two logins at once leave one connection

    Scenario Outline: <what happens>
      When the story "<story>" is told
      Then one pair is stored, and a restart uses it (RACE-10)

      Examples:
        | story              | what happens                                          |
        | two_logins_at_once | A callback arrives twice, and then two logins at once |

  @RACE-11 @must @error
  Rule: A call that met 401 because another one refreshed is repeated

    Scenario Outline: <what happens>
      When the story "<story>" is told
      Then the call is repeated with the newer token (RACE-11)

      Examples:
        | story                                      | what happens                                     |
        | a_call_meets_401_after_a_sibling_refreshed | A call meets 401 after another one has refreshed |

  @RACE-12 @should @error
  Rule: A refresh does not hang on the caller that set it off

    Scenario Outline: <what happens>
      When the story "<story>" is told
      Then the refresh comes to its end, and what it brings is kept (RACE-12)

      Examples:
        | story               | what happens                                                   |
        | the_caller_hangs_up | Whoever asked for work hangs up while the refresh is under way |

  @RACE-13 @must @error
  Rule: Connections that refresh at the same time do not get into each other's way

    Scenario Outline: <what happens>
      When the story "<story>" is told
      Then each goes on with its own tokens (RACE-13)

      Examples:
        | story                         | what happens                                  |
        | two_companies_refresh_at_once | Two companies need a refresh at the same time |
